mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1", kms_key_id = "key", secret_status = "active" }]
    }
  }
}

variables {
  environment           = "production"
  identifier            = "task-tracker"
  database_name         = "task_tracker"
  instance_class        = "db.m7g.large"
  storage_gib           = 100
  maximum_storage_gib   = 1000
  multi_az              = true
  deletion_protection   = true
  backup_retention_days = 35
  backup_region         = "eu-west-1"
  vpc_id                = "vpc-1"
  subnet_ids            = ["subnet-1", "subnet-2", "subnet-3"]
}

run "production_is_safe" {
  command = apply

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection && aws_db_instance.this.storage_encrypted
    error_message = "Two zones, protected, encrypted."
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible
    error_message = "The database is not public."
  }

  assert {
    condition     = aws_db_instance.this.backup_retention_period == 35 && aws_db_instance_automated_backups_replication.this[0].region == "eu-west-1"
    error_message = "Any second of 35 days can be restored, in another Region as well."
  }

  assert {
    condition     = contains([for parameter in aws_db_parameter_group.this.parameter : "${parameter.name}=${parameter.value}"], "rds.force_ssl=1")
    error_message = "Nobody connects without TLS."
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.monitoring_interval == 60
    error_message = "RDS keeps the password, and enhanced monitoring is on."
  }
}

run "a_replica_where_it_is_wanted" {
  command = apply

  variables {
    read_replica = true
  }

  assert {
    condition     = aws_db_instance.replica[0].replicate_source_db == "task-tracker"
    error_message = "The replica follows the instance."
  }
}

run "a_retention_over_35_days_is_refused" {
  command         = plan
  expect_failures = [var.backup_retention_days]

  # In production, another rule would refuse it as well.
  variables {
    environment           = "staging"
    backup_retention_days = 36
  }
}

run "production_with_less_than_35_days_is_refused" {
  command         = plan
  expect_failures = [var.backup_retention_days]

  variables {
    backup_retention_days = 7
  }
}

run "an_unknown_environment_is_refused" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = "prod"
  }
}

run "production_without_deletion_protection_is_refused" {
  command         = plan
  expect_failures = [var.deletion_protection]

  variables {
    deletion_protection = false
  }
}

run "production_in_one_zone_is_refused" {
  command         = plan
  expect_failures = [var.multi_az]

  variables {
    multi_az = false
  }
}

run "production_without_a_second_region_is_refused" {
  command         = plan
  expect_failures = [var.backup_region]

  variables {
    backup_region = null
  }
}

run "a_public_database_is_refused" {
  command         = plan
  expect_failures = [var.client_cidr_blocks]

  variables {
    client_cidr_blocks = { everybody = "0.0.0.0/0" }
  }
}

run "parameters_of_another_version_are_refused" {
  command         = plan
  expect_failures = [var.parameter_group_family]

  variables {
    engine_version = "16.10"
  }
}

run "an_identifier_that_rds_would_refuse_is_refused" {
  command         = plan
  expect_failures = [var.identifier]

  variables {
    identifier = "Task_Tracker"
  }
}

run "too_little_storage_is_refused" {
  command         = plan
  expect_failures = [var.storage_gib]

  variables {
    storage_gib = 10
  }
}

run "storage_that_cannot_grow_is_refused" {
  command         = plan
  expect_failures = [var.maximum_storage_gib]

  variables {
    maximum_storage_gib = 105
  }
}

run "a_password_that_stays_is_refused" {
  command         = plan
  expect_failures = [var.password_rotation_days]

  variables {
    password_rotation_days = 365
  }
}

run "a_single_subnet_is_refused" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = ["subnet-1"]
  }
}
