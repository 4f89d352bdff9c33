data "aws_region" "current" {}

# The first revision of the family. A deploy registers the next ones from the one that runs, so that what changes here reaches
# the tasks only as docs/deployment.md says ("Changing the task").
resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  # Earlier revisions stay: a rollback may want one.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  container_definitions = jsonencode([{
    name      = var.container_name
    image     = var.first_image
    essential = true
    command   = var.command

    user                   = var.user
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }

    # The service drains for 2 s and finishes what is in flight for 20 s.
    stopTimeout = 30

    # 10,000 users, and everything else that is an open file (`task-tracker doctor` counts it). Fargate's default, said so that
    # nobody depends on it (Amazon ECS Developer Guide, "Task definition differences for Fargate").
    ulimits = [{ name = "nofile", softLimit = 65535, hardLimit = 65535 }]

    # The image has no shell and no curl: the program asks itself. ECS ignores an image's own HEALTHCHECK.
    healthCheck = { command = ["CMD", "/task-tracker", "health"], interval = 10, timeout = 5, retries = 3, startPeriod = 15 }

    portMappings = [{ containerPort = var.container_port, protocol = "tcp" }]
    environment  = [for name, value in var.environment_variables : { name = name, value = value }]
    secrets      = [for name, arn in var.secret_arns : { name = name, valueFrom = arn }]

    repositoryCredentials = { credentialsParameter = var.registry_secret_arn }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.region
        awslogs-stream-prefix = "ecs"
      }
    }
  }])
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = module.key.arn
}

module "key" {
  source = "../key"

  name        = "${var.name}-service"
  description = "Logs of ${var.name}"
  services    = ["logs.${data.aws_region.current.region}.amazonaws.com"]
}
