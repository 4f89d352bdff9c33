mock_provider "aws" {}

variables {
  bucket = "acme-tt-ops-production"
}

run "records_without_locking" {
  command = plan

  assert {
    condition     = output.bucket == "acme-tt-ops-production"
    error_message = "The bucket is what it is asked to be."
  }
}

run "records_that_nobody_may_delete" {
  command = plan

  variables {
    object_lock_days = 30
  }
}

run "a_lock_that_outlives_its_versions_is_refused" {
  command         = plan
  expect_failures = [var.object_lock_days]

  variables {
    object_lock_days = 120
  }
}
