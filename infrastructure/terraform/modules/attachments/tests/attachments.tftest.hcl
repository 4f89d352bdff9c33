mock_provider "aws" {}

variables {
  bucket  = "acme-attachments-production"
  origins = ["https://tasks.example.com"]
}

run "the_service_may_do_three_things_with_its_own_files" {
  command = apply

  assert {
    condition     = toset(flatten([for statement in output.statements : statement.Action if statement.Sid == "Attachments"])) == toset(["s3:DeleteObject", "s3:GetObject", "s3:PutObject"])
    error_message = "It puts, gets and deletes objects, and changes nothing about the bucket."
  }

  assert {
    condition     = alltrue([for statement in output.statements : endswith(statement.Resource, "/attachments/*") if statement.Sid == "Attachments"])
    error_message = "It reaches the objects below its own prefix only."
  }

  assert {
    condition     = one(aws_s3_bucket_cors_configuration.this.cors_rule).allowed_origins == toset(["https://tasks.example.com"])
    error_message = "Only its own pages use the bucket from a browser."
  }
}

run "any_site_is_refused" {
  command         = plan
  expect_failures = [var.origins]

  variables {
    origins = ["*"]
  }
}

run "what_is_to_be_erased_does_not_stay" {
  command         = plan
  expect_failures = [var.recoverable_days]

  variables {
    recoverable_days = 365
  }
}
