# Three roles, for three who act:
#   execution  the ECS agent: pulls the image, reads the secrets, opens the log stream
#   task       the program itself: what `task_statements` says, and nothing without it
#   shift      ECS's deployment controller: moves the listener rules

data "aws_caller_identity" "current" {}

locals {
  # Only tasks of this account may take the roles (Amazon ECS Developer Guide, "Amazon ECS task IAM role").
  tasks_assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "The ECS agent of ${var.name}: image, secrets, logs"
  assume_role_policy = local.tasks_assume
}

resource "aws_iam_role_policy" "execution" {
  name = "start-tasks"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = concat(values(var.secret_arns), [var.registry_secret_arn])
      },
      {
        Sid      = "SecretsKey"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.secrets_key_arn
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      },
    ]
  })
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  description        = "The program ${var.name}: what it calls AWS for"
  assume_role_policy = local.tasks_assume
}

resource "aws_iam_role_policy" "task" {
  count = length(var.task_statements) > 0 ? 1 : 0
  name  = "call-aws"
  role  = aws_iam_role.task.id

  policy = jsonencode({ Version = "2012-10-17", Statement = var.task_statements })
}

resource "aws_iam_role" "shift" {
  name        = "${var.name}-shift"
  description = "Lets ECS move the listener rules of ${var.name} during a deployment"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

# Amazon's own, which grows with the controller (Amazon ECS Developer Guide, "Amazon ECS infrastructure IAM role for load
# balancers").
resource "aws_iam_role_policy_attachment" "shift" {
  role       = aws_iam_role.shift.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
}
