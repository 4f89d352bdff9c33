# The service's module adds the rule for its tasks. Nobody else is admitted but by name.
resource "aws_security_group" "this" {
  name        = "${var.identifier}-database"
  description = "PostgreSQL from the tasks and from named networks"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.identifier}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_cidr_blocks

  security_group_id = aws_security_group.this.id
  description       = "PostgreSQL from ${each.key}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

resource "aws_iam_role" "monitoring" {
  name        = "${var.identifier}-database-monitoring"
  description = "Lets RDS write enhanced monitoring of ${var.identifier}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
