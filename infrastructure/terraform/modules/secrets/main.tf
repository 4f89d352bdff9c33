# Names and keys only: values are put there by people (`aws secretsmanager put-secret-value`) or by a rotation, and never pass
# through Terraform, whose state would keep them.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:A rotation needs a function that knows both sides; where one is named, it is attached below. The master password rotates in any case
  for_each = var.secrets

  name                    = each.key
  description             = each.value.description
  kms_key_id              = module.key.arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_policy" "this" {
  for_each = aws_secretsmanager_secret.this

  secret_arn          = each.value.arn
  block_public_policy = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyThisAccount"
      Effect    = "Deny"
      Principal = "*"
      Action    = "secretsmanager:GetSecretValue"
      Resource  = "*"
      Condition = { StringNotEquals = { "aws:PrincipalAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

locals {
  rotated = { for name, secret in var.secrets : name => secret.rotation if secret.rotation != null }
}

resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = local.rotated

  secret_id           = aws_secretsmanager_secret.this[each.key].id
  rotation_lambda_arn = each.value.lambda_arn
  rotate_immediately  = false

  rotation_rules {
    automatically_after_days = each.value.days
  }

  depends_on = [aws_lambda_permission.rotation]
}

resource "aws_lambda_permission" "rotation" {
  for_each = local.rotated

  statement_id   = "SecretsManager-${replace(each.key, "/", "-")}"
  action         = "lambda:InvokeFunction"
  function_name  = each.value.lambda_arn
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}

module "key" {
  source = "../key"

  name        = "${var.name}-secrets"
  description = "Secrets of ${var.name}"
}

data "aws_caller_identity" "current" {}
