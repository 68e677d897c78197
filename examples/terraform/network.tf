# 1. The address plan: all private addresses, a part of them for the region.

resource "aws_vpc_ipam" "plan" {
  description = "the address plan"
  operating_regions {
    region_name = "eu-central-1"
  }
}

resource "aws_vpc_ipam_pool" "all" {
  description    = "everything that is ours"
  ipam_scope_id  = aws_vpc_ipam.plan.private_default_scope_id
  address_family = "ipv4"
}

resource "aws_vpc_ipam_pool_cidr" "all" {
  ipam_pool_id = aws_vpc_ipam_pool.all.id
  cidr         = "10.0.0.0/8"
}

resource "aws_vpc_ipam_pool" "region" {
  description         = "networks in eu-central-1"
  ipam_scope_id       = aws_vpc_ipam.plan.private_default_scope_id
  address_family      = "ipv4"
  source_ipam_pool_id = aws_vpc_ipam_pool.all.id
  locale              = "eu-central-1"

  # A network here has from 4,096 to 65,536 addresses, and says what it is for.
  allocation_min_netmask_length     = 16
  allocation_max_netmask_length     = 20
  allocation_default_netmask_length = 20
  allocation_resource_tags          = { environment = "production" }
}

resource "aws_vpc_ipam_pool_cidr" "region" {
  ipam_pool_id   = aws_vpc_ipam_pool.region.id
  netmask_length = 12
  depends_on     = [aws_vpc_ipam_pool_cidr.all]
}

# Addresses that something outside uses. No network will get them.
resource "aws_vpc_ipam_pool_cidr_allocation" "office" {
  description    = "the office in Mainz"
  ipam_pool_id   = aws_vpc_ipam_pool.region.id
  netmask_length = 24
  depends_on     = [aws_vpc_ipam_pool_cidr.region]
}

# 2. A network that the pool finds room for.

resource "aws_vpc" "shop" {
  ipv4_ipam_pool_id                = aws_vpc_ipam_pool.region.id
  ipv4_netmask_length              = 16
  assign_generated_ipv6_cidr_block = true
  enable_dns_hostnames             = true
  tags                             = { Name = "shop", environment = "production" }
  depends_on                       = [aws_vpc_ipam_pool_cidr_allocation.office] # who comes first gets the lower addresses
}

# It has grown since.
resource "aws_vpc_ipv4_cidr_block_association" "more" {
  vpc_id              = aws_vpc.shop.id
  ipv4_ipam_pool_id   = aws_vpc_ipam_pool.region.id
  ipv4_netmask_length = 20
}

resource "aws_subnet" "front" {
  count                           = length(local.zones)
  vpc_id                          = aws_vpc.shop.id
  availability_zone               = local.zones[count.index]
  cidr_block                      = cidrsubnet(aws_vpc.shop.cidr_block, 8, count.index)
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.shop.ipv6_cidr_block, 8, count.index)
  assign_ipv6_address_on_creation = true
  map_public_ip_on_launch         = true
  tags                            = { Name = "front-${local.zones[count.index]}" }
}

resource "aws_subnet" "batch" {
  vpc_id     = aws_vpc_ipv4_cidr_block_association.more.vpc_id
  cidr_block = cidrsubnet(aws_vpc_ipv4_cidr_block_association.more.cidr_block, 2, 0)
  tags       = { Name = "batch" }
}

# 3. The way to the internet.

# It can't go before the last public address behind it has gone back, nor a pool
# before that: this puts them in order when all is destroyed.
resource "aws_internet_gateway" "shop" {
  vpc_id     = aws_vpc.shop.id
  depends_on = [aws_vpc_ipam_pool_cidr.public]
}

resource "aws_route_table" "front" {
  vpc_id = aws_vpc.shop.id
  tags   = { Name = "front" }
}

resource "aws_route" "ipv4" {
  route_table_id         = aws_route_table.front.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.shop.id
}

resource "aws_route" "ipv6" {
  route_table_id              = aws_route_table.front.id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = aws_internet_gateway.shop.id
}

resource "aws_route_table_association" "front" {
  count          = length(aws_subnet.front)
  subnet_id      = aws_subnet.front[count.index].id
  route_table_id = aws_route_table.front.id
}

# 4. Who may talk to whom.

resource "aws_security_group" "balancer" {
  name        = "balancer"
  description = "load balancers"
  vpc_id      = aws_vpc.shop.id

  ingress {
    description      = "everybody"
    protocol         = "tcp"
    from_port        = 8080
    to_port          = 8443
    cidr_blocks      = ["0.0.0.0/0"]
    ipv6_cidr_blocks = ["::/0"]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = [aws_vpc.shop.cidr_block]
  }
}

resource "aws_security_group" "server" {
  name        = "server"
  description = "what load balancers forward to"
  vpc_id      = aws_vpc.shop.id
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  security_group_id            = aws_security_group.server.id
  referenced_security_group_id = aws_security_group.balancer.id
  description                  = "load balancers only"
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
  tags                         = { Name = "from-balancer" }
}

resource "aws_vpc_security_group_egress_rule" "anywhere" {
  security_group_id = aws_security_group.server.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

output "pool" {
  value = aws_vpc_ipam_pool.region.id
}

output "network" {
  value = {
    vpc     = aws_vpc.shop.id
    cidrs   = [aws_vpc.shop.cidr_block, aws_vpc_ipv4_cidr_block_association.more.cidr_block, aws_vpc.shop.ipv6_cidr_block]
    subnets = [for n in concat(aws_subnet.front, [aws_subnet.batch]) : n.cidr_block]
  }
}
