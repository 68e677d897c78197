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

variable "certificate" {
  description = "directory with cert.pem, key.pem and chain.pem"
}

resource "aws_acm_certificate" "shop" {
  certificate_body  = file("${var.certificate}/cert.pem")
  private_key       = file("${var.certificate}/key.pem")
  certificate_chain = file("${var.certificate}/chain.pem")
  tags = {
    team = "web"
  }
}

resource "aws_acm_certificate" "other" {
  certificate_body = file("${path.module}/other-cert.pem")
  private_key      = file("${path.module}/other-key.pem")
}

resource "aws_vpc" "shop" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "shop" {
  vpc_id = aws_vpc.shop.id
}

resource "aws_subnet" "shop" {
  for_each          = { eu-central-1a = "10.0.0.0/24", eu-central-1b = "10.0.1.0/24" }
  vpc_id            = aws_vpc.shop.id
  availability_zone = each.key
  cidr_block        = each.value
}

resource "aws_lb" "shop" {
  name       = "shop"
  subnets    = [for s in aws_subnet.shop : s.id]
  depends_on = [aws_internet_gateway.shop]
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 28443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.shop.arn
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "shop"
      status_code  = "200"
    }
  }
}

resource "aws_lb_listener_certificate" "other" {
  listener_arn    = aws_lb_listener.https.arn
  certificate_arn = aws_acm_certificate.other.arn
}

output "name" {
  value = aws_lb.shop.dns_name
}
