# Production. What it has that staging lacks is what costs money: two zones for everything, backups in a second Region, a replica.

provider "aws" {
  region = "eu-central-1"

  # With the credentials of any other account nothing is planned.
  allowed_account_ids = ["123456789012"]

  default_tags {
    tags = {
      environment = "production"
      service     = "task-tracker"
      managed-by  = "terraform"
    }
  }
}

module "environment" {
  source = "../modules/environment"

  environment   = "production"
  bucket_prefix = "acme"
  domain_name   = "tasks.example.com"
  zone_id       = "Z000000PRODUCTION"

  cidr_block           = "10.30.0.0/16"
  reserved_cidr_blocks = { staging = "10.20.0.0/16", office = "10.10.0.0/16" }
  nat_gateways         = "per-zone"

  # The CI's runners and the VPN.
  test_client_cidr_blocks     = { runners = "198.51.100.16/28", vpn = "203.0.113.7/32" }
  database_client_cidr_blocks = { vpn = "10.10.8.0/24" }

  deletion_protection = true

  # Never pulled: no task runs before the first deploy.
  first_image = "registry.gitlab.com/acme/task-tracker/service@sha256:0000000000000000000000000000000000000000000000000000000000000000"

  task = { cpu = 1024, memory = 2048, minimum = 2, maximum = 20 }

  database = {
    instance_class        = "db.m7g.large"
    storage_gib           = 100
    maximum_storage_gib   = 1000
    multi_az              = true
    read_replica          = true
    backup_retention_days = 35
    backup_region         = "eu-west-1"
    maximum_connections   = 680
  }

  alarm_emails        = ["on-call@example.com"]
  maximum_p95_seconds = 0.2

  ci_subjects = ["project_path:acme/task-tracker:ref_type:branch:ref:main"]
}
