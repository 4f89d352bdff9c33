# How fast the month's error budget is being used up, over a long window and a short one: the long one says that it matters, the
# short one that it still goes on (Google, "The Site Reliability Workbook", chapter 5, "Alerting on SLOs").
#
#   page    14.4 × over 1 h and 5 min    2 % of the budget in an hour
#   page     6   × over 6 h and 30 min   5 % in six hours
#   ticket   3   × over 24 h and 2 h     10 % in a day

locals {
  # 100 - 99.9 is not quite 0.1, and what AWS rounds would differ from what is planned.
  budget_percent = tonumber(format("%.4f", 100 - var.objective_percent))

  burns = {
    fast   = { factor = 14.4, long = 3600, short = 300 }
    medium = { factor = 6, long = 21600, short = 1800 }
    slow   = { factor = 3, long = 86400, short = 7200 }
  }

  windows = merge([for name, burn in local.burns : {
    "${name}-long"  = { factor = burn.factor, seconds = burn.long }
    "${name}-short" = { factor = burn.factor, seconds = burn.short }
  }]...)
}

# These have no actions: they feed the composite alarms below.
resource "aws_cloudwatch_metric_alarm" "window" {
  for_each = local.windows

  alarm_name          = "${var.service_name}-burn-${each.key}"
  alarm_description   = "Over ${each.value.seconds / 60} min, errors use up the budget more than ${each.value.factor} times too fast. See ${var.runbooks}/error-budget.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = tonumber(format("%.4f", each.value.factor * local.budget_percent))
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

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
        period      = each.value.seconds
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "burn" {
  for_each = local.burns

  alarm_name        = "${var.service_name}-burn-${each.key}"
  alarm_description = "The month's error budget (${local.budget_percent} %) is being used up ${each.value.factor} times too fast. Ask: tt-ops status ${var.environment}. Then: ${var.runbooks}/error-budget.md"
  alarm_actions     = [aws_sns_topic.this.arn]
  ok_actions        = [aws_sns_topic.this.arn]

  alarm_rule = join(" AND ", [
    "ALARM(\"${aws_cloudwatch_metric_alarm.window["${each.key}-long"].alarm_name}\")",
    "ALARM(\"${aws_cloudwatch_metric_alarm.window["${each.key}-short"].alarm_name}\")",
  ])
}
