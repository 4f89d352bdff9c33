mock_provider "aws" {}

variables {
  name            = "task-tracker"
  domain_name     = "tasks.example.com"
  api_domain_name = "api.tasks.example.com"
  zone_id         = "Z1"
  bucket          = "acme-web"
  log_bucket      = "acme-access-logs"
}

run "files_and_api_under_one_name" {
  command = plan

  assert {
    condition     = one(aws_cloudfront_distribution.this.ordered_cache_behavior).path_pattern == "/api/*"
    error_message = "The API is behind /api/."
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this.ordered_cache_behavior).cache_policy_id == local.caching_disabled
    error_message = "What the API answers is for one user."
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this.viewer_certificate).minimum_protocol_version == "TLSv1.2_2021"
    error_message = "Nothing older than TLS 1.2."
  }

  assert {
    condition     = one(one(aws_cloudfront_response_headers_policy.this.security_headers_config).strict_transport_security).access_control_max_age_sec >= 31536000
    error_message = "Browsers remember for at least a year that this is HTTPS."
  }

  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always"
    error_message = "Only the distribution reads the bucket."
  }
}

run "an_api_at_its_own_front_door_is_refused" {
  command         = plan
  expect_failures = [var.api_domain_name]

  variables {
    api_domain_name = "tasks.example.com"
  }
}
