mock_provider "aws" {}

variables {
  name        = "task-tracker"
  description = "Load balancer task-tracker"
  scope       = "REGIONAL"
  rate_limit  = 3000
}

run "a_rate_and_amazon_s_rules" {
  command = plan

  assert {
    condition     = length(aws_wafv2_web_acl.this.rule) == 5
    error_message = "A limit for each address, and four groups of managed rules."
  }

  assert {
    condition     = length(distinct([for rule in aws_wafv2_web_acl.this.rule : rule.priority])) == 5
    error_message = "No two rules have the same priority."
  }
}

run "at_the_edge_it_lives_in_us_east_1" {
  command = plan

  variables {
    scope = "CLOUDFRONT"
  }

  assert {
    condition     = aws_wafv2_web_acl.this.region == "us-east-1" && aws_cloudwatch_log_group.this.region == "us-east-1"
    error_message = "CloudFront looks for web ACLs in us-east-1 only."
  }
}

run "another_scope_is_refused" {
  command         = plan
  expect_failures = [var.scope]

  variables {
    scope = "GLOBAL"
  }
}

run "a_limit_that_waf_would_refuse_is_refused" {
  command         = plan
  expect_failures = [var.rate_limit]

  variables {
    rate_limit = 5
  }
}
