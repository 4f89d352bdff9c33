mock_provider "aws" {}

variables {
  name                            = "task-tracker"
  cluster_name                    = "task-tracker"
  first_image                     = "registry.gitlab.com/acme/task-tracker/service@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  cpu                             = 512
  memory                          = 1024
  minimum_tasks                   = 2
  maximum_tasks                   = 10
  environment_variables           = { PORT = "3000" }
  secret_arns                     = { DATABASE_URL = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:task-tracker/database-url" }
  registry_secret_arn             = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:gitlab/registry"
  secrets_key_arn                 = "arn:aws:kms:eu-central-1:123456789012:key/1"
  vpc_id                          = "vpc-1"
  private_subnet_ids              = ["subnet-1", "subnet-2", "subnet-3"]
  production_listener_arn         = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/task-tracker/1/2"
  test_listener_arn               = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/task-tracker/1/3"
  load_balancer_security_group_id = "sg-1"
  load_balancer_arn_suffix        = "app/task-tracker/1"
  database_security_group_id      = "sg-2"
  deployment_alarm_names          = ["task-tracker-errors", "task-tracker-p95"]
}

run "ecs_shifts_between_two_groups" {
  command = apply

  assert {
    condition     = one(aws_ecs_service.this.deployment_configuration).strategy == "BLUE_GREEN"
    error_message = "ECS's own controller moves the traffic."
  }

  assert {
    condition     = one(one(aws_ecs_service.this.load_balancer).advanced_configuration).alternate_target_group_arn == aws_lb_target_group.this["green"].arn
    error_message = "The service knows its other target group."
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.this : !group.stickiness[0].enabled])
    error_message = "Stickiness would override the weights."
  }

  assert {
    condition     = one(aws_ecs_service.this.alarms).rollback && one(aws_ecs_service.this.deployment_circuit_breaker).rollback
    error_message = "A deployment that goes wrong comes back by itself."
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 0 && !one(aws_ecs_service.this.network_configuration).assign_public_ip
    error_message = "Nothing runs before the first deploy, and tasks have no public address."
  }
}

run "the_container_can_do_little" {
  command = apply

  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) :
      container.readonlyRootFilesystem && container.user == "65532:65532" && container.linuxParameters.capabilities.drop == ["ALL"]
    ])
    error_message = "The root file system is read-only, the user is not root, and no capability is left."
  }

  assert {
    condition     = alltrue([for policy in aws_appautoscaling_policy.predefined : policy.policy_type == "TargetTrackingScaling"]) && length(aws_appautoscaling_policy.predefined) == 2
    error_message = "CPU and memory scale the service, and requests as well."
  }
}

run "a_program_that_calls_nothing_may_call_nothing" {
  command = apply

  assert {
    condition     = length(aws_iam_role_policy.task) == 0
    error_message = "The task's role has no policy."
  }
}

run "a_program_may_call_what_it_needs" {
  command = apply

  variables {
    task_statements = [{ Sid = "Files", Effect = "Allow", Action = ["s3:GetObject"], Resource = "arn:aws:s3:::files/*" }]
  }

  assert {
    condition     = jsondecode(one(aws_iam_role_policy.task).policy).Statement[0].Action[0] == "s3:GetObject"
    error_message = "The task's role has the statements that it is given."
  }
}

run "an_image_by_tag_is_refused" {
  command         = plan
  expect_failures = [var.first_image]

  variables {
    first_image = "registry.gitlab.com/acme/task-tracker/service:1.4.0"
  }
}

run "root_is_refused" {
  command         = plan
  expect_failures = [var.user]

  variables {
    user = "0:0"
  }
}

run "ten_thousand_users_fit" {
  command = apply

  assert {
    condition     = one(one(jsondecode(aws_ecs_task_definition.this.container_definitions)).ulimits).hardLimit >= 10265
    error_message = "A connection is an open file; so are those of the pool and of scrapers."
  }
}

run "an_arn_is_no_secret" {
  command = plan

  variables {
    environment_variables = { DATABASE_SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:task-tracker/database-url" }
  }
}

run "a_secret_that_calls_itself_an_arn_is_refused" {
  command         = plan
  expect_failures = [var.environment_variables]

  variables {
    environment_variables = { DATABASE_SECRET_ARN = "postgres://app:in-the-open@db/tasks" }
  }
}

run "a_secret_in_plain_sight_is_refused" {
  command         = plan
  expect_failures = [var.environment_variables]

  variables {
    environment_variables = { DATABASE_PASSWORD = "in the open" }
  }
}

run "a_service_without_tasks_is_refused" {
  command         = plan
  expect_failures = [var.minimum_tasks]

  variables {
    minimum_tasks = 0
  }
}

run "a_deployment_that_nothing_watches_is_refused" {
  command         = plan
  expect_failures = [var.deployment_alarm_names]

  variables {
    deployment_alarm_names = []
  }
}

run "a_name_too_long_for_target_groups_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "task-tracker-of-the-whole-company"
  }
}

run "a_size_that_fargate_lacks_is_refused" {
  command         = plan
  expect_failures = [var.cpu]

  variables {
    cpu = 300
  }
}

run "a_bake_of_more_than_a_day_is_refused" {
  command         = plan
  expect_failures = [var.bake_minutes]

  variables {
    bake_minutes = 2000
  }
}

run "a_maximum_below_the_minimum_is_refused" {
  command         = plan
  expect_failures = [var.maximum_tasks]

  variables {
    maximum_tasks = 1
  }
}
