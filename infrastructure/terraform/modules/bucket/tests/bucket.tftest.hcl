mock_provider "aws" {}

variables {
  name = "acme-records"
  key  = { arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
}

run "private_versioned_encrypted" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "Nothing in it is ever public."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "What was overwritten can be read again."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "With a key, the key is used."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "No lock unless it is asked for."
  }
}

run "locked" {
  command = plan

  variables {
    object_lock_days = 30
  }

  assert {
    condition     = one(one(aws_s3_bucket_object_lock_configuration.this[0].rule).default_retention).days == 30 && aws_s3_bucket.this.object_lock_enabled
    error_message = "Nobody deletes a version for 30 days."
  }
}

run "without_a_key_s3_s_own" {
  command = plan

  variables {
    key = null
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Never without encryption."
  }
}

run "a_name_that_s3_would_refuse_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "Acme_Records"
  }
}

run "versions_that_are_not_kept_are_refused" {
  command         = plan
  expect_failures = [var.noncurrent_days]

  variables {
    noncurrent_days = 0
  }
}
