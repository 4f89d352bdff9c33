# Three kinds of subnets, each in every zone:
#   public    the load balancer and the NAT gateways
#   private   the tasks: out through NAT, in through the load balancer only
#   database  no way out at all

locals {
  zones = { for index, zone in var.availability_zones : zone => index }

  # /16 → /20: room for 16 subnets, of which nine are used.
  public_cidrs   = { for zone, index in local.zones : zone => cidrsubnet(var.cidr_block, 4, index) }
  private_cidrs  = { for zone, index in local.zones : zone => cidrsubnet(var.cidr_block, 4, index + 4) }
  database_cidrs = { for zone, index in local.zones : zone => cidrsubnet(var.cidr_block, 4, index + 8) }

  nat_zones = var.nat_gateways == "per-zone" ? local.zones : { (var.availability_zones[0]) = 0 }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# Whatever forgets to name its security group gets this one, which lets nothing in or out.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = local.public_cidrs[each.key]

  tags = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = local.private_cidrs[each.key]

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_subnet" "database" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = local.database_cidrs[each.key]

  tags = { Name = "${var.name}-database-${each.key}" }
}
