mock_provider "aws" {}

variables {
  environment                  = "production"
  service_name                 = "task-tracker"
  cluster_name                 = "task-tracker"
  load_balancer_arn_suffix     = "app/task-tracker/1"
  database_identifier          = "task-tracker"
  emails                       = ["on-call@example.com"]
  maximum_p95_seconds          = 0.2
  maximum_database_connections = 680
}

run "thresholds_and_three_burn_rates" {
  command = plan

  assert {
    condition     = output.deployment_alarm_names == ["task-tracker-errors", "task-tracker-p95"]
    error_message = "The names are those of the environments."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.p95.threshold == 0.2 && aws_cloudwatch_metric_alarm.cpu.threshold == 80 && aws_cloudwatch_metric_alarm.connections.threshold == 680
    error_message = "The thresholds are those that were given."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.lasting_p95.threshold == 0.5 && aws_cloudwatch_metric_alarm.lasting_p95.datapoints_to_alarm * aws_cloudwatch_metric_alarm.lasting_p95.period == 600
    error_message = "500 ms for ten minutes are an alarm of their own, whatever is promised."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.lasting_errors.threshold == 1 && alltrue([for query in aws_cloudwatch_metric_alarm.lasting_errors.metric_query : one(query.metric[*].period) == 300 if query.id != "rate"])
    error_message = "1 % over five minutes is an alarm of its own, for when there are few requests."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.memory.threshold == 85 && aws_cloudwatch_metric_alarm.memory.statistic == "Maximum"
    error_message = "The fullest task is the one that counts."
  }

  assert {
    condition     = endswith(aws_cloudwatch_metric_alarm.errors.alarm_description, "Then: runbooks/errors.md")
    error_message = "A description ends with its page."
  }

  # 14.4 times a budget of 0.1 %.
  assert {
    condition     = abs(aws_cloudwatch_metric_alarm.window["fast-long"].threshold - 1.44) < 0.0001
    error_message = "The fastest burn uses up 2 % of a month's budget in an hour."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.burn["fast"].alarm_rule == "ALARM(\"task-tracker-burn-fast-long\") AND ALARM(\"task-tracker-burn-fast-short\")"
    error_message = "A burn is told when it matters and still goes on."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.x + widget.width <= 24])
    error_message = "The panels fit into CloudWatch's grid."
  }
}

run "an_objective_without_a_budget_is_refused" {
  command         = plan
  expect_failures = [var.objective_percent]

  variables {
    objective_percent = 100
  }
}

run "an_unknown_environment_is_refused" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = "prod"
  }
}
