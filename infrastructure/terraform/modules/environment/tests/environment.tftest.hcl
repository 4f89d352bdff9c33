mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
}

variables {
  environment             = "production"
  bucket_prefix           = "acme"
  domain_name             = "tasks.example.com"
  zone_id                 = "Z1"
  cidr_block              = "10.30.0.0/16"
  reserved_cidr_blocks    = { staging = "10.20.0.0/16" }
  nat_gateways            = "per-zone"
  test_client_cidr_blocks = { runners = "198.51.100.16/28" }
  deletion_protection     = true
  first_image             = "registry.gitlab.com/acme/task-tracker/service@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  task                    = { cpu = 512, memory = 1024, minimum = 2, maximum = 10 }
  alarm_emails            = ["on-call@example.com"]
  maximum_p95_seconds     = 0.2
  ci_subjects             = ["project_path:acme/task-tracker:ref_type:branch:ref:main"]

  database = {
    instance_class        = "db.m7g.large"
    storage_gib           = 100
    maximum_storage_gib   = 1000
    multi_az              = true
    backup_retention_days = 35
    backup_region         = "eu-west-1"
    maximum_connections   = 680
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

run "production_with_one_task_is_refused" {
  command         = plan
  expect_failures = [var.task]

  variables {
    task = { cpu = 512, memory = 1024, minimum = 1, maximum = 10 }
  }
}

run "production_with_one_way_out_is_refused" {
  command         = plan
  expect_failures = [var.nat_gateways]

  variables {
    nat_gateways = "one"
  }
}
