# 5. Public addresses: two pools, each a range that partners can allow.

resource "aws_vpc_ipam_pool" "public" {
  for_each         = { first = "127.192.20.0/28", second = "127.192.30.0/28" }
  description      = "public addresses, ${each.key} range"
  ipam_scope_id    = aws_vpc_ipam.plan.public_default_scope_id
  address_family   = "ipv4"
  locale           = "eu-central-1"
  aws_service      = "ec2"
  public_ip_source = "byoip"
  tags             = { range = each.value }
}

resource "aws_vpc_ipam_pool_cidr" "public" {
  for_each     = aws_vpc_ipam_pool.public
  ipam_pool_id = each.value.id
  cidr         = each.value.tags.range
}

# 6. The load balancer. Change var.pool, and it moves without a failed request.

resource "aws_lb" "shop" {
  name            = "shop"
  subnets         = aws_subnet.front[*].id
  security_groups = [aws_security_group.balancer.id]
  idle_timeout    = 30

  ipam_pools {
    ipv4_ipam_pool_id = aws_vpc_ipam_pool.public[var.pool].id
  }

  tags       = { team = "web" }
  depends_on = [aws_internet_gateway.shop, aws_vpc_ipam_pool_cidr.public]
}

# 7. What it sends requests to: machines of the inventory, see fairlead.yaml, and
# an address that is none of them.

data "aws_instances" "till" {
  instance_tags = { Name = "till" }
}

resource "aws_lb_target_group" "tills" {
  name                 = "tills"
  port                 = var.ports.target
  protocol             = "HTTP"
  vpc_id               = aws_vpc.shop.id
  deregistration_delay = 5

  health_check {
    matcher  = "200-299"
    interval = 5
    timeout  = 2
  }
}

resource "aws_lb_target_group_attachment" "tills" {
  for_each         = toset(data.aws_instances.till.ids)
  target_group_arn = aws_lb_target_group.tills.arn
  target_id        = each.key
}

resource "aws_lb_target_group" "archive" {
  name                          = "archive"
  target_type                   = "ip"
  port                          = 443
  protocol                      = "HTTPS"
  vpc_id                        = aws_vpc.shop.id
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    protocol = "HTTPS"
    port     = 8444
    matcher  = "200,204"
  }
}

resource "aws_lb_target_group_attachment" "archive" {
  target_group_arn  = aws_lb_target_group.archive.arn
  target_id         = "10.200.0.7"
  availability_zone = "all" # it isn't in the VPC
}

# 8. Who comes by HTTP is sent to HTTPS, but for the load balancer's own name.

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.shop.arn
  port              = var.ports.http
  protocol          = "HTTP"

  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = var.ports.https
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener_rule" "own_name" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 1

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tills.arn
  }
  condition {
    host_header {
      values = [aws_lb.shop.dns_name]
    }
  }
}

resource "aws_acm_certificate" "shop" {
  certificate_body  = file("${var.certificates}/cert.pem")
  private_key       = file("${var.certificates}/key.pem")
  certificate_chain = file("${var.certificates}/chain.pem")
  tags              = { team = "web" }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.shop.arn
  port              = var.ports.https
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.shop.arn

  default_action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.tills.arn
        weight = 99
      }
      target_group {
        arn    = aws_lb_target_group.archive.arn
        weight = 0 # ready to take over
      }
    }
  }
}

resource "aws_lb_listener_rule" "archive" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.archive.arn
  }
  condition {
    path_pattern {
      values = ["/archive/*", "/receipts/20??/*"]
    }
  }
  condition {
    source_ip {
      values = ["10.0.0.0/8"]
    }
  }
  tags = { team = "web" }
}

resource "aws_lb_listener_rule" "closed" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 20

  action {
    type = "fixed-response"
    fixed_response {
      content_type = "application/json"
      message_body = jsonencode({ error = "closed" })
      status_code  = "503"
    }
  }
  condition {
    http_header {
      http_header_name = "X-Till"
      values           = ["closed*"]
    }
  }
  condition {
    query_string {
      key   = "pay"
      value = "*"
    }
  }
  condition {
    http_request_method {
      values = ["POST", "PUT"]
    }
  }
}

output "name" {
  value = aws_lb.shop.dns_name
}
