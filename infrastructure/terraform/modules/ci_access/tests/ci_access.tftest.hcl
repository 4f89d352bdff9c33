mock_provider "aws" {}

variables {
  name                = "task-tracker"
  subjects            = ["project_path:acme/task-tracker:ref_type:branch:ref:main"]
  region              = "eu-central-1"
  account_id          = "123456789012"
  cluster_name        = "task-tracker"
  service_name        = "task-tracker"
  family              = "task-tracker"
  passed_role_arns    = ["arn:aws:iam::123456789012:role/task-tracker-execution", "arn:aws:iam::123456789012:role/task-tracker-task"]
  log_group_arn       = "arn:aws:logs:eu-central-1:123456789012:log-group:/ecs/task-tracker"
  secret_arns         = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:task-tracker/database-url"]
  registry_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:gitlab/registry"
  records_arn         = "arn:aws:s3:::acme-tt-ops-production"
  key_arns            = ["arn:aws:kms:eu-central-1:123456789012:key/1"]
  backup_key_arns     = ["arn:aws:kms:eu-central-1:123456789012:key/2", "arn:aws:kms:eu-west-1:123456789012:key/3"]
}

run "only_the_named_branch_may_deploy" {
  command = plan

  assert {
    condition     = aws_iam_openid_connect_provider.gitlab.url == "https://gitlab.com"
    error_message = "GitLab's tokens are trusted."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : !contains(flatten([statement.Action]), "*")])
    error_message = "No statement allows everything."
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Resource != "*" || !anytrue([for action in flatten([statement.Action]) : can(regex(":(Create|Delete|Modify|Put|Register|Run|Start|Stop|Update|Pass)", action))])
    ])
    error_message = "What changes something is allowed on named resources only."
  }
}

run "any_branch_is_refused" {
  command         = plan
  expect_failures = [var.subjects]

  variables {
    subjects = ["project_path:acme/task-tracker:ref_type:branch:ref:*"]
  }
}

run "a_url_with_a_path_is_refused" {
  command         = plan
  expect_failures = [var.gitlab_url]

  variables {
    gitlab_url = "https://gitlab.example.com/"
  }
}
