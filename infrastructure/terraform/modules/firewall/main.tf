locals {
  # AWS WAF Developer Guide, "AWS Managed Rules rule groups list". Priorities are their order here.
  managed = [
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
  ]
}

resource "aws_wafv2_web_acl" "this" {
  # What CloudFront uses lives in us-east-1, wherever the rest is.
  region      = var.scope == "CLOUDFRONT" ? "us-east-1" : null
  name        = var.name
  description = var.description
  scope       = var.scope

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 0

    action {
      block {}
    }

    statement {
      rate_based_statement {
        aggregate_key_type    = "IP"
        limit                 = var.rate_limit
        evaluation_window_sec = 300
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${var.name}-rate"
      sampled_requests_enabled   = true
    }
  }

  dynamic "rule" {
    for_each = local.managed

    content {
      name     = rule.value
      priority = rule.key + 1

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.value
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-${rule.value}"
        sampled_requests_enabled   = true
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = true
  }
}

# The name must begin like this (AWS WAF Developer Guide, "Sending web ACL traffic logs to a CloudWatch Logs log group").
resource "aws_cloudwatch_log_group" "this" {
  region            = var.scope == "CLOUDFRONT" ? "us-east-1" : null
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = module.key.arn
}

module "key" {
  source = "../key"

  region      = var.scope == "CLOUDFRONT" ? "us-east-1" : null
  name        = "${var.name}-firewall"
  description = "Firewall logs of ${var.name}"
  services    = ["logs.${var.scope == "CLOUDFRONT" ? "us-east-1" : data.aws_region.current.region}.amazonaws.com"]
}

data "aws_region" "current" {}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  region                  = var.scope == "CLOUDFRONT" ? "us-east-1" : null
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.this.arn]

  # Tokens of users have no place in a log.
  redacted_fields {
    single_header {
      name = "authorization"
    }
  }

  redacted_fields {
    single_header {
      name = "cookie"
    }
  }
}
