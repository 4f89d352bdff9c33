# An ECS service whose releases tt-ops brings and whose traffic ECS moves. Terraform creates it with a first image and a first
# share of traffic, and from then on leaves alone what belongs to the others; each `ignore_changes` says whose it is.

resource "aws_ecs_cluster" "this" {
  name = var.cluster_name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE"]
}

resource "aws_ecs_service" "this" {
  name             = var.name
  cluster          = aws_ecs_cluster.this.arn
  task_definition  = aws_ecs_task_definition.this.arn
  desired_count    = 0
  launch_type      = "FARGATE"
  platform_version = "LATEST"

  availability_zone_rebalancing     = "ENABLED"
  enable_ecs_managed_tags           = true
  propagate_tags                    = "SERVICE"
  health_check_grace_period_seconds = 30

  # Terraform does not wait: the first deploy is tt-ops's.
  wait_for_steady_state = false

  deployment_controller {
    type = "ECS"
  }

  # Each deploy sends the strategy, the bake and its pauses from the environment's YAML. This is what a deployment that
  # somebody starts by hand before the first deploy would get.
  deployment_configuration {
    strategy             = "BLUE_GREEN"
    bake_time_in_minutes = var.bake_minutes
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # ECS watches these during a deployment, beside the analysis of tt-ops.
  alarms {
    enable      = true
    rollback    = true
    alarm_names = var.deployment_alarm_names
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  load_balancer {
    container_name   = var.container_name
    container_port   = var.container_port
    target_group_arn = aws_lb_target_group.this["blue"].arn

    advanced_configuration {
      alternate_target_group_arn = aws_lb_target_group.this["green"].arn
      production_listener_rule   = aws_lb_listener_rule.production.arn
      test_listener_rule         = aws_lb_listener_rule.test.arn
      role_arn                   = aws_iam_role.shift.arn
    }
  }

  lifecycle {
    ignore_changes = [
      # tt-ops: every deploy and every rollback sets another revision.
      task_definition,
      # Application Auto Scaling, and tt-ops with `minimum_tasks` on the first deploy.
      desired_count,
      # tt-ops: strategy, bake and pause hooks come from the environment's YAML with each deploy.
      deployment_configuration,
    ]
  }

  depends_on = [aws_iam_role_policy_attachment.shift]
}
