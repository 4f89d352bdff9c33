output "deployment_alarm_names" {
  description = "The alarms that take a deployment back; the same as `alarms` in the environment's YAML."
  value       = [aws_cloudwatch_metric_alarm.errors.alarm_name, aws_cloudwatch_metric_alarm.p95.alarm_name]
}

output "topic_arn" {
  description = "Where alarms are told."
  value       = aws_sns_topic.this.arn
}
