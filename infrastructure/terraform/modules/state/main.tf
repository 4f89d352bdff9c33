# Where tt-ops keeps what was deployed by whom, and the lock that keeps two deploys apart. Versioned: a record that was
# overwritten can be read again. The lock is one object that is written often; its old versions go soon.
module "records" {
  source = "../bucket"

  name              = var.bucket
  key               = module.key
  noncurrent_days   = var.noncurrent_days
  object_lock_days  = var.object_lock_days
  access_log_bucket = var.access_log_bucket
}

module "key" {
  source = "../key"

  name        = "${var.bucket}-records"
  description = "Deploy records in ${var.bucket}"
}
