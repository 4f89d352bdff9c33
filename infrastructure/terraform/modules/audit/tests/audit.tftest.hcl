mock_provider "aws" {}

variables {
  name   = "task-tracker"
  bucket = "acme-audit-production"
}

run "everywhere_and_tamper_evident" {
  command = plan

  assert {
    condition     = aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.enable_log_file_validation
    error_message = "The trail sees all Regions, and its files prove that they were not changed."
  }
}

run "a_short_memory_is_refused" {
  command         = plan
  expect_failures = [var.retention_days]

  variables {
    retention_days = 30
  }
}
