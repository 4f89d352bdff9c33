# Staging: production's way with smaller numbers, in an account of its own.

provider "aws" {
  region = "eu-central-1"

  # With the credentials of any other account nothing is planned.
  allowed_account_ids = ["210987654321"]

  default_tags {
    tags = {
      environment = "staging"
      service     = "task-tracker"
      managed-by  = "terraform"
    }
  }
}

module "environment" {
  source = "../modules/environment"

  environment   = "staging"
  bucket_prefix = "acme"
  domain_name   = "staging.tasks.example.com"
  zone_id       = "Z0000000000STAGING"

  cidr_block           = "10.20.0.0/16"
  reserved_cidr_blocks = { production = "10.30.0.0/16", office = "10.10.0.0/16" }
  nat_gateways         = "one"

  # The CI's runners and the VPN.
  test_client_cidr_blocks     = { runners = "198.51.100.16/28", vpn = "203.0.113.7/32" }
  database_client_cidr_blocks = { vpn = "10.10.8.0/24" }

  # Terraform can be told to take it all down.
  deletion_protection = false

  first_image = "registry.gitlab.com/acme/task-tracker/service@sha256:0000000000000000000000000000000000000000000000000000000000000000"

  task = { cpu = 512, memory = 1024, minimum = 1, maximum = 4 }

  database = {
    instance_class        = "db.t4g.medium"
    storage_gib           = 20
    maximum_storage_gib   = 100
    multi_az              = false
    backup_retention_days = 7
    maximum_connections   = 320
  }

  alarm_emails        = ["staging@example.com"]
  maximum_p95_seconds = 0.3

  # Branches are tried out here, but only those that GitLab protects by these names.
  ci_subjects = ["project_path:acme/task-tracker:ref_type:branch:ref:main", "project_path:acme/task-tracker:ref_type:branch:ref:staging"]
}
