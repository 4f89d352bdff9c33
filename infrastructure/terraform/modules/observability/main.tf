# The thresholds, and beside them the error budget: a threshold fires on a bad minute, a burn rate on a bad hour that would
# use up the month. The first two alarms are those that ECS watches during a deployment (`alarms` in the environment's YAML): they
# have to be quick. Each description names the page that says what to do.

locals {
  balancer = { LoadBalancer = var.load_balancer_arn_suffix }
  service  = { ClusterName = var.cluster_name, ServiceName = var.service_name }
  database = { DBInstanceIdentifier = var.database_identifier }
}

# Of the last minutes' requests, the share that the service answered with 5xx or not at all.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.service_name}-errors"
  alarm_description   = "More than ${var.maximum_error_percent} % of requests fail. Ask: tt-ops status ${var.environment}. Then: ${var.runbooks}/errors.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.maximum_error_percent
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "rate"
    label       = "Failed requests in percent"
    expression  = "IF(requests >= ${var.minimum_requests}, 100 * (FILL(target, 0) + FILL(balancer, 0)) / requests, 0)"
    return_data = true
  }

  metric_query {
    id = "target"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = local.balancer
      period      = 60
      stat        = "Sum"
    }
  }

  # 502 to 504: no task answered.
  metric_query {
    id = "balancer"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_ELB_5XX_Count"
      dimensions  = local.balancer
      period      = 60
      stat        = "Sum"
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = local.balancer
      period      = 60
      stat        = "Sum"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "p95" {
  alarm_name          = "${var.service_name}-p95"
  alarm_description   = "One request in twenty takes longer than ${var.maximum_p95_seconds} s. Ask: tt-ops status ${var.environment}. Then: ${var.runbooks}/slow.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.maximum_p95_seconds
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = local.balancer
  extended_statistic  = "p95"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  # With a handful of requests, the slowest one would be the percentile.
  evaluate_low_sample_count_percentiles = "ignore"
}

# Five minutes together: it comes to a conclusion with a fifth of the requests a minute that the quick one needs.
resource "aws_cloudwatch_metric_alarm" "lasting_errors" {
  alarm_name          = "${var.service_name}-errors-lasting"
  alarm_description   = "More than ${var.maximum_error_percent} % of requests have failed over 5 minutes. Ask: tt-ops status ${var.environment}. Then: ${var.runbooks}/errors.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.maximum_error_percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "rate"
    label       = "Failed requests in percent"
    expression  = "IF(requests >= ${var.minimum_requests}, 100 * (FILL(target, 0) + FILL(balancer, 0)) / requests, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      target   = "HTTPCode_Target_5XX_Count"
      balancer = "HTTPCode_ELB_5XX_Count"
      requests = "RequestCount"
    }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = local.balancer
        period      = 300
        stat        = "Sum"
      }
    }
  }
}

# Beside the promise: what nobody calls a bad moment any more.
resource "aws_cloudwatch_metric_alarm" "lasting_p95" {
  alarm_name          = "${var.service_name}-p95-lasting"
  alarm_description   = "One request in twenty has taken longer than ${var.lasting_p95_seconds} s for 10 minutes. Ask: tt-ops status ${var.environment}. Then: ${var.runbooks}/slow.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.lasting_p95_seconds
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = local.balancer
  extended_statistic  = "p95"
  period              = 60
  evaluation_periods  = 10
  datapoints_to_alarm = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  evaluate_low_sample_count_percentiles = "ignore"
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  alarm_name          = "${var.service_name}-cpu"
  alarm_description   = "The tasks use more than ${var.maximum_cpu_percent} % CPU although autoscaling adds some: it is at its maximum, or too slow. See ${var.runbooks}/cpu.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.maximum_cpu_percent
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = local.service
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# The fullest task, not the average: it is a single one that the kernel ends.
resource "aws_cloudwatch_metric_alarm" "memory" {
  alarm_name          = "${var.service_name}-memory"
  alarm_description   = "A task uses more than ${var.maximum_memory_percent} % of its memory; at 100 % it is ended. See ${var.runbooks}/memory.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.maximum_memory_percent
  namespace           = "AWS/ECS"
  metric_name         = "MemoryUtilization"
  dimensions          = local.service
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "connections" {
  alarm_name          = "${var.service_name}-database-connections"
  alarm_description   = "More than ${var.maximum_database_connections} connections to ${var.database_identifier}; when they run out, the service answers 503. See ${var.runbooks}/database-connections.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.maximum_database_connections
  namespace           = "AWS/RDS"
  metric_name         = "DatabaseConnections"
  dimensions          = local.database
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}
