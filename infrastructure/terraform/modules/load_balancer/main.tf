# HTTPS only, and from CloudFront only: users meet the distribution of module `web`. The test listener is for the smoke test
# of a deploy, from the addresses of the CI runners and the people on call.

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_76:The rules against Log4j are there (AWSManagedRulesKnownBadInputsRuleSet); the list of anonymous addresses that is also looked for refuses users of VPNs and scripts in data centres
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = var.public_subnet_ids
  security_groups    = [aws_security_group.this.id]

  enable_deletion_protection = var.deletion_protection
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"

  # Below the 75 s for which the service keeps an idle connection, so that it is never the service that closes first.
  idle_timeout = 60

  access_logs {
    enabled = true
    bucket  = module.logs.name
    prefix  = var.name
  }
}

resource "aws_lb_listener" "production" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = var.tls_policy
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  # What no rule forwards. The rules are module `service`'s; ECS moves their weights.
  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
      message_body = "There is nothing here."
    }
  }
}

resource "aws_lb_listener" "test" {
  load_balancer_arn = aws_lb.this.arn
  port              = var.test_port
  protocol          = "HTTPS"
  ssl_policy        = var.tls_policy
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
      message_body = "There is nothing here."
    }
  }
}

module "firewall" {
  source = "../firewall"

  name        = var.name
  description = "Load balancer ${var.name}"
  scope       = "REGIONAL"
  # Here each address is one of CloudFront's, with many users behind it. The limit for a user is at the edge, in module
  # `web`; this one is for what has found a way around it.
  rate_limit         = var.rate_limit
  log_retention_days = var.log_retention_days
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = aws_lb.this.arn
  web_acl_arn  = module.firewall.arn
}
