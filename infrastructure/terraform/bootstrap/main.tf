# The bucket in which the other roots keep their state. Applied once for each account, by a person; its own state is local and
# worth nothing: what it made can be imported again.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

module "key" {
  source = "../modules/key"

  name        = "terraform-state"
  description = "Terraform's state"
}

module "state" {
  source = "../modules/bucket"

  name            = "${var.bucket_prefix}-terraform-${var.environment}"
  key             = module.key
  noncurrent_days = 365
}
