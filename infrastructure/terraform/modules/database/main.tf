# PostgreSQL in two zones, restorable to any second of the last 35 days, with its backups in a second Region as well.

resource "aws_db_instance" "this" {
  identifier     = var.identifier
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class
  db_name        = var.database_name
  username       = "postgres"

  # RDS makes the password, keeps it in Secrets Manager and rotates it; it is in no state and no variable.
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = module.key.arn
  iam_database_authentication_enabled = true

  allocated_storage     = var.storage_gib
  max_allocated_storage = var.maximum_storage_gib
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = module.key.arn

  # Nothing makes it public: there is no variable for it, its subnets have no way out, and its group admits only by name.
  publicly_accessible    = false
  multi_az               = var.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period  = var.backup_retention_days
  backup_window            = "02:00-03:00"
  maintenance_window       = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot    = true
  delete_automated_backups = false
  deletion_protection      = var.deletion_protection

  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.identifier}-final"

  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  apply_immediately           = false

  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = module.key.arn
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  lifecycle {
    ignore_changes = [
      # RDS: minor upgrades happen in the maintenance window.
      engine_version,
      # RDS: storage grows by itself, and cannot shrink.
      allocated_storage,
    ]
  }

  depends_on = [aws_cloudwatch_log_group.this]
}

# RDS rotates the password every seven days unless it is told otherwise (Amazon RDS User Guide, "Password management with
# Amazon RDS and AWS Secrets Manager").
resource "aws_secretsmanager_secret_rotation" "master" {
  secret_id          = aws_db_instance.this.master_user_secret[0].secret_arn
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.password_rotation_days
  }
}

resource "aws_db_instance" "replica" {
  #checkov:skip=CKV_AWS_157:A replica for reports may be away for as long as it takes to make another
  count = var.read_replica ? 1 : 0

  identifier          = "${var.identifier}-replica"
  replicate_source_db = aws_db_instance.this.identifier
  instance_class      = var.instance_class

  storage_encrypted                   = true
  kms_key_id                          = module.key.arn
  publicly_accessible                 = false
  multi_az                            = false
  vpc_security_group_ids              = [aws_security_group.this.id]
  parameter_group_name                = aws_db_parameter_group.this.name
  iam_database_authentication_enabled = true

  copy_tags_to_snapshot      = true
  deletion_protection        = var.deletion_protection
  skip_final_snapshot        = true
  auto_minor_version_upgrade = true

  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = module.key.arn
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]
}

resource "aws_db_subnet_group" "this" {
  name        = var.identifier
  description = "Subnets of ${var.identifier}, without a route to the Internet"
  subnet_ids  = var.subnet_ids
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.identifier}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = module.key.arn
}

module "key" {
  source = "../key"

  name        = "${var.identifier}-database"
  description = "Database ${var.identifier}: storage, snapshots, password, logs"
  services    = ["logs.${data.aws_region.current.region}.amazonaws.com"]
}

data "aws_region" "current" {}
