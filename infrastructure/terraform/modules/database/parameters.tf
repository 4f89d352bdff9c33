# What the service counts on. Times in milliseconds, as PostgreSQL wants them.
resource "aws_db_parameter_group" "this" {
  name        = "${var.identifier}-${var.parameter_group_family}"
  family      = var.parameter_group_family
  description = "TLS only, and the timeouts of ${var.identifier}"

  # No connection without TLS (Amazon RDS User Guide, "Requiring an SSL connection to a PostgreSQL DB instance").
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Three times what the service allows a request: whatever runs longer has no reader any more.
  parameter {
    name  = "statement_timeout"
    value = "30000"
  }

  # A transaction that does nothing keeps others waiting.
  parameter {
    name  = "idle_in_transaction_session_timeout"
    value = "30000"
  }

  # A migration that waits for a lock makes everybody behind it wait as well. tt-ops sets a shorter one for its own.
  parameter {
    name  = "lock_timeout"
    value = "10000"
  }

  # A statement of a client that is gone ends within ten seconds.
  parameter {
    name  = "client_connection_check_interval"
    value = "10000"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_lock_waits"
    value = "1"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  # A static parameter: it takes effect with the next restart.
  parameter {
    name         = "shared_preload_libraries"
    value        = "pg_stat_statements"
    apply_method = "pending-reboot"
  }

  lifecycle {
    create_before_destroy = true
  }
}
