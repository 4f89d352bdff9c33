# GitLab's jobs prove who they are with a token of their own; no key of the account is kept anywhere (GitLab documentation,
# "Configure OpenID Connect in AWS to retrieve temporary credentials").

locals {
  host = replace(var.gitlab_url, "https://", "")
}

resource "aws_iam_openid_connect_provider" "gitlab" {
  url            = var.gitlab_url
  client_id_list = [var.gitlab_url]
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-deploy"
  description          = "tt-ops in jobs of ${join(", ", var.subjects)}"
  max_session_duration = 7200

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.gitlab.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.host}:aud" = var.gitlab_url
          "${local.host}:sub" = var.subjects
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "tt-ops"
  role   = aws_iam_role.this.id
  policy = local.policy
}
