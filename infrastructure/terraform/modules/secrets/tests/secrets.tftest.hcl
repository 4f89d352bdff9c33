mock_provider "aws" {}

variables {
  name = "task-tracker"
  secrets = {
    "task-tracker/database-url" = {
      description = "How the service connects"
      rotation    = { lambda_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate" }
    }
    "gitlab/registry" = { description = "The registry's login" }
  }
}

run "rotated_where_a_function_is_named" {
  command = plan

  assert {
    condition     = keys(aws_secretsmanager_secret_rotation.this) == ["task-tracker/database-url"]
    error_message = "One secret is rotated, the other by hand."
  }

  assert {
    condition     = one(aws_secretsmanager_secret_rotation.this["task-tracker/database-url"].rotation_rules).automatically_after_days == 30
    error_message = "It is rotated every 30 days unless it is said otherwise."
  }
}

run "a_rotation_that_never_comes_is_refused" {
  command         = plan
  expect_failures = [var.secrets]

  variables {
    secrets = {
      "task-tracker/database-url" = {
        description = "How the service connects"
        rotation    = { lambda_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate", days = 365 }
      }
    }
  }
}

run "a_name_that_looks_like_a_suffix_is_refused" {
  command         = plan
  expect_failures = [var.secrets]

  variables {
    secrets = { "database-secret" = { description = "Ends like an ARN" } }
  }
}
