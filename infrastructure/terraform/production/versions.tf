terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7.0"
    }
  }

  # Made by bootstrap/. The lock is a file beside the state: no DynamoDB table (Terraform documentation, "Backend type: s3").
  backend "s3" {
    bucket       = "acme-terraform-production"
    key          = "task-tracker.tfstate"
    region       = "eu-central-1"
    encrypt      = true
    use_lockfile = true
  }
}
