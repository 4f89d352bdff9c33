data "aws_region" "current" {}

locals {
  region = data.aws_region.current.region

  # Two columns of three; CloudWatch's grid is 24 wide.
  panels = [
    {
      title   = "Requests a minute"
      metrics = [["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.load_balancer_arn_suffix, { stat = "Sum" }]]
      limit   = null
    },
    {
      title = "Failed requests a minute"
      metrics = [
        ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", var.load_balancer_arn_suffix, { stat = "Sum", label = "by a task" }],
        ["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "LoadBalancer", var.load_balancer_arn_suffix, { stat = "Sum", label = "no task answered" }],
      ]
      limit = null
    },
    {
      title = "Response time in seconds"
      metrics = [for statistic in ["p50", "p95", "p99"] :
        ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer_arn_suffix, { stat = statistic, label = statistic }]
      ]
      limit = var.maximum_p95_seconds
    },
    {
      title = "Tasks: CPU and memory in percent"
      metrics = [for metric in ["CPUUtilization", "MemoryUtilization"] :
        ["AWS/ECS", metric, "ClusterName", var.cluster_name, "ServiceName", var.service_name, { stat = "Average", label = metric }]
      ]
      limit = var.maximum_cpu_percent
    },
    {
      title   = "Database connections"
      metrics = [["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", var.database_identifier, { stat = "Maximum" }]]
      limit   = var.maximum_database_connections
    },
    {
      title = "Database: CPU in percent, and free storage in bytes on the right"
      metrics = [
        ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", var.database_identifier, { stat = "Average" }],
        ["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.database_identifier, { stat = "Minimum", yAxis = "right" }],
      ]
      limit = null
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.service_name}-${var.environment}"

  dashboard_body = jsonencode({
    widgets = [for index, panel in local.panels : {
      type   = "metric"
      x      = index % 2 * 12
      y      = floor(index / 2) * 6
      width  = 12
      height = 6
      properties = {
        title       = panel.title
        region      = local.region
        period      = 60
        metrics     = panel.metrics
        annotations = { horizontal = [for limit in panel.limit[*] : { label = "alarm", value = limit }] }
      }
    }]
  })
}
