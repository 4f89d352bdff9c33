mock_provider "aws" {}

variables {
  name                    = "task-tracker"
  vpc_id                  = "vpc-1"
  public_subnet_ids       = ["subnet-1", "subnet-2", "subnet-3"]
  domain_name             = "api.tasks.example.com"
  zone_id                 = "Z1"
  test_client_cidr_blocks = { runners = "198.51.100.16/28" }
  deletion_protection     = true
  log_bucket              = "acme-access-logs"
}

run "https_with_tls_1_3_and_logs" {
  command = plan

  assert {
    condition     = aws_lb_listener.production.protocol == "HTTPS" && strcontains(aws_lb_listener.production.ssl_policy, "TLS13")
    error_message = "Users are spoken to over TLS 1.3."
  }

  assert {
    condition     = aws_lb_listener.test.port != aws_lb_listener.production.port && aws_lb_listener.test.protocol == "HTTPS"
    error_message = "The smoke test has a listener of its own."
  }

  assert {
    condition     = aws_lb.this.access_logs[0].enabled && aws_lb.this.drop_invalid_header_fields
    error_message = "Requests are recorded, and odd headers dropped."
  }

  assert {
    condition     = output.test_url == "https://api.tasks.example.com:8443"
    error_message = "The smoke test uses the name of the certificate."
  }
}

run "a_test_listener_for_everybody_is_refused" {
  command         = plan
  expect_failures = [var.test_client_cidr_blocks]

  variables {
    test_client_cidr_blocks = { everybody = "0.0.0.0/0" }
  }
}

run "an_old_tls_policy_is_refused" {
  command         = plan
  expect_failures = [var.tls_policy]

  variables {
    tls_policy = "ELBSecurityPolicy-2016-08"
  }
}

run "a_single_zone_is_refused" {
  command         = plan
  expect_failures = [var.public_subnet_ids]

  variables {
    public_subnet_ids = ["subnet-1"]
  }
}

run "a_name_that_is_too_long_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "task-tracker-in-production-and-staging"
  }
}
