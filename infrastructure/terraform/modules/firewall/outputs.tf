output "arn" {
  description = "The web ACL, for whatever it protects."
  value       = aws_wafv2_web_acl.this.arn
}
