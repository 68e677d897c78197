# What examples/terraform has no use for, beside it.

resource "aws_vpc_ipv4_cidr_block_association" "explicit" {
  vpc_id     = aws_vpc.shop.id
  cidr_block = "100.64.0.0/18"
}

resource "aws_vpc_ipv6_cidr_block_association" "second" {
  vpc_id                           = aws_vpc.shop.id
  assign_generated_ipv6_cidr_block = true
}

resource "aws_route_table" "other" {
  vpc_id = aws_vpc.shop.id
  route {
    ipv6_cidr_block = "::/0"
    gateway_id      = aws_internet_gateway.shop.id
  }
}

resource "aws_main_route_table_association" "other" {
  vpc_id         = aws_vpc.shop.id
  route_table_id = aws_route_table.other.id
}

resource "aws_security_group_rule" "older" {
  type              = "ingress"
  security_group_id = aws_security_group.server.id
  protocol          = "icmp"
  from_port         = 8
  to_port           = -1
  cidr_blocks       = ["10.0.0.0/8", "192.168.0.0/16"]
}

resource "aws_default_security_group" "shop" {
  vpc_id = aws_vpc.shop.id
}

resource "aws_vpc_dhcp_options_association" "shop" {
  vpc_id          = aws_vpc.shop.id
  dhcp_options_id = data.aws_vpc_dhcp_options.default.id
}

resource "aws_vpc" "plain" {
  cidr_block = "10.200.0.0/16"
}

resource "aws_internet_gateway" "plain" {}

resource "aws_internet_gateway_attachment" "plain" {
  vpc_id              = aws_vpc.plain.id
  internet_gateway_id = aws_internet_gateway.plain.id
}

resource "aws_default_route_table" "plain" {
  default_route_table_id = aws_vpc.plain.default_route_table_id
  route {
    cidr_block = "10.200.0.0/16"
    gateway_id = "local"
  }
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway_attachment.plain.internet_gateway_id
  }
}

resource "aws_default_vpc" "default" {}

resource "aws_default_subnet" "a" {
  availability_zone = "eu-central-1a"
}

data "aws_vpc" "default" {
  default = true
}

data "aws_vpc_dhcp_options" "default" {
  filter {
    name   = "key"
    values = ["domain-name-servers"]
  }
}

data "aws_subnet" "default" {
  vpc_id            = data.aws_vpc.default.id
  availability_zone = "eu-central-1b"
  default_for_az    = true
}

data "aws_route_table" "default" {
  vpc_id = data.aws_vpc.default.id
  filter {
    name   = "association.main"
    values = ["true"]
  }
}

data "aws_route" "default" {
  route_table_id         = data.aws_route_table.default.id
  destination_cidr_block = "0.0.0.0/0"
}

data "aws_internet_gateway" "default" {
  filter {
    name   = "attachment.vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_security_group" "default" {
  vpc_id = data.aws_vpc.default.id
  name   = "default"
}

data "aws_vpc_security_group_rules" "default" {
  filter {
    name   = "group-id"
    values = [data.aws_security_group.default.id]
  }
}

data "aws_vpc_security_group_rule" "default" {
  security_group_rule_id = data.aws_vpc_security_group_rules.default.ids[0]
}

data "aws_network_acls" "default" {
  vpc_id = data.aws_vpc.default.id
}

data "aws_availability_zones" "all" {}

data "aws_caller_identity" "me" {}
