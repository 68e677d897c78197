# Every action and condition of rules that the provider knows, and mutual TLS, to be
# found as they were made. What var.step changes is changed in place.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region                  = "eu-central-1"
  skip_metadata_api_check = true
}

variable "certificates" {}
variable "step" { type = number }

locals {
  first = var.step == 1
}

resource "aws_vpc" "net" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "net" {
  count             = 2
  vpc_id            = aws_vpc.net.id
  availability_zone = ["eu-central-1a", "eu-central-1b"][count.index]
  cidr_block        = cidrsubnet(aws_vpc.net.cidr_block, 8, count.index)
}

resource "aws_lb" "ruled" {
  name     = "ruled"
  internal = true
  subnets  = aws_subnet.net[*].id
}

resource "aws_lb_target_group" "to" {
  for_each    = toset(["blue", "green"])
  name        = each.key
  target_type = "ip"
  port        = 80
  protocol    = "HTTP"
  vpc_id      = aws_vpc.net.id
}

resource "aws_acm_certificate" "ruled" {
  certificate_body = file("${var.certificates}/cert.pem")
  private_key      = file("${var.certificates}/key.pem")
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.ruled.arn
  port              = 8080
  protocol          = "HTTP"

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = local.first ? "404" : "410"
    }
  }
}

resource "aws_lb_trust_store" "people" {
  name                             = "people"
  ca_certificates_bundle_s3_bucket = "authorities"
  ca_certificates_bundle_s3_key    = local.first ? "people.pem" : "more-people.pem"
}

resource "aws_lb_trust_store_revocation" "people" {
  trust_store_arn       = aws_lb_trust_store.people.arn
  revocations_s3_bucket = "authorities"
  revocations_s3_key    = "people.crl"
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.ruled.arn
  port              = 8443
  protocol          = "HTTPS"
  certificate_arn   = aws_acm_certificate.ruled.arn

  mutual_authentication {
    mode                             = "verify"
    trust_store_arn                  = aws_lb_trust_store.people.arn
    ignore_client_certificate_expiry = !local.first
    advertise_trust_store_ca_names   = local.first ? "off" : "on"
  }

  default_action {
    type  = "authenticate-oidc"
    order = 1
    authenticate_oidc {
      issuer                     = "https://id.example"
      authorization_endpoint     = "https://id.example/authorize"
      token_endpoint             = "https://id.example/token"
      user_info_endpoint         = "https://id.example/userinfo"
      client_id                  = "ruled"
      client_secret              = local.first ? "first secret" : "second secret"
      session_timeout            = 3600
      on_unauthenticated_request = local.first ? "deny" : "allow"
      authentication_request_extra_params = {
        display = "page"
        prompt  = "login"
      }
    }
  }
  default_action {
    type             = "forward"
    order            = 2
    target_group_arn = aws_lb_target_group.to["blue"].arn
  }
}

resource "aws_lb_listener_rule" "sticky" {
  listener_arn = aws_lb_listener.http.arn
  priority     = local.first ? 10 : 60
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.to["blue"].arn
        weight = local.first ? 100 : 0
      }
      target_group {
        arn    = aws_lb_target_group.to["green"].arn
        weight = local.first ? 0 : 999
      }
      stickiness {
        enabled  = true
        duration = local.first ? 604800 : 1
      }
    }
  }
  condition {
    host_header {
      values = ["*.shop.example", "shop.example"]
    }
  }
  condition {
    path_pattern {
      values = local.first ? ["/till/*", "/basket"] : ["/till/??"]
    }
  }
}

resource "aws_lb_listener_rule" "moved" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 20
  action {
    type = "redirect"
    redirect {
      host        = local.first ? "www.#{host}" : "#{host}"
      path        = "/new/#{path}"
      query       = "was=#{port}&#{query}"
      port        = "443"
      protocol    = "HTTPS"
      status_code = local.first ? "HTTP_302" : "HTTP_301"
    }
  }
  condition {
    query_string {
      key   = "moved"
      value = "y?s"
    }
    query_string {
      value = local.first ? "\\*" : "all"
    }
  }
  condition {
    http_request_method {
      values = local.first ? ["GET", "HEAD"] : ["GET"]
    }
  }
}

resource "aws_lb_listener_rule" "answered" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 30
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "application/json"
      message_body = local.first ? jsonencode({ "é" = "<&>" }) : null
      status_code  = "418"
    }
  }
  condition {
    http_header {
      http_header_name = "X-Agent"
      values           = ["*bot*", "spider?"]
    }
  }
  condition {
    source_ip {
      values = local.first ? ["192.0.2.0/24", "2001:db8::/32"] : ["198.51.100.7/32"]
    }
  }
  tags = { step = var.step }
}

resource "aws_lb_listener_rule" "oidc" {
  listener_arn = aws_lb_listener.https.arn
  action {
    type = "authenticate-oidc"
    authenticate_oidc {
      issuer                 = "https://id.example"
      authorization_endpoint = "https://id.example/authorize"
      token_endpoint         = "https://id.example/token"
      user_info_endpoint     = "https://id.example/userinfo"
      client_id              = "ruled"
      client_secret          = "correct horse battery staple"
    }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.to["green"].arn
  }
  condition {
    path_pattern {
      values = [local.first ? "/oidc" : "/login"]
    }
  }
}

resource "aws_lb_listener_rule" "cognito" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 100
  action {
    type = "authenticate-cognito"
    authenticate_cognito {
      user_pool_arn       = "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_aBcDeF123"
      user_pool_client_id = "client"
      user_pool_domain    = "ruled"
      session_cookie_name = local.first ? "Till" : "AWSELBAuthSessionCookie"
      scope               = local.first ? "openid email" : "openid"
    }
  }
  action {
    type = "redirect"
    redirect {
      path        = "/in"
      status_code = "HTTP_302"
    }
  }
  condition {
    path_pattern {
      values = ["/cognito"]
    }
  }
}
