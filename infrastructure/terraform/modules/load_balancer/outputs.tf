output "arn" {
  description = "The load balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "The load balancer as CloudWatch's dimension."
  value       = aws_lb.this.arn_suffix
}

output "security_group_id" {
  description = "Whose members may call the tasks."
  value       = aws_security_group.this.id
}

output "production_listener_arn" {
  description = "Where users' requests arrive."
  value       = aws_lb_listener.production.arn
}

output "test_listener_arn" {
  description = "Where the smoke test of a deploy arrives."
  value       = aws_lb_listener.test.arn
}

output "domain_name" {
  description = "The name that the certificate is for."
  value       = aws_route53_record.this.name
}

output "test_url" {
  description = "The smoke test's address. The certificate is for this name, not for the load balancer's own."
  value       = "https://${var.domain_name}:${var.test_port}"
}

output "log_bucket" {
  description = "The bucket for access logs."
  value       = module.logs.name
}
