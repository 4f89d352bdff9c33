output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "One for each zone, for the load balancer."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "One for each zone, for the tasks."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
}

output "database_subnet_ids" {
  description = "One for each zone, without a way out."
  value       = [for zone in var.availability_zones : aws_subnet.database[zone].id]
}

output "nat_addresses" {
  description = "What others see as the tasks' addresses."
  value       = [for address in aws_eip.nat : address.public_ip]
}
