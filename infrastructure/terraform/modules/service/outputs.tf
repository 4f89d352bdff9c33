output "cluster_name" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.name
}

output "cluster_arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "service_name" {
  description = "The service."
  value       = aws_ecs_service.this.name
}

output "service_arn" {
  description = "The service."
  value       = aws_ecs_service.this.arn
}

output "family" {
  description = "The family of its task definitions."
  value       = aws_ecs_task_definition.this.family
}

output "container_name" {
  description = "The container whose image a deploy replaces."
  value       = var.container_name
}

output "minimum_tasks" {
  description = "What autoscaling keeps at least."
  value       = aws_appautoscaling_target.this.min_capacity
}

output "log_group_name" {
  description = "Where the tasks' logs are."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_group_arn" {
  description = "Where the tasks' logs are."
  value       = aws_cloudwatch_log_group.this.arn
}

output "passed_role_arns" {
  description = "The roles that a deploy hands to ECS with a task definition."
  value       = [aws_iam_role.execution.arn, aws_iam_role.task.arn]
}

output "log_key_arn" {
  description = "The key that the logs are encrypted with."
  value       = module.key.arn
}
