output "cluster" {
  description = "Name for `aws eks update-kubeconfig --name`."
  value       = aws_eks_cluster.this.name
}

output "region" {
  description = "For external-secrets/store.yaml and the object store's annotations."
  value       = var.region
}

output "models" {
  description = "Bucket in place of `llama-mapper` in every storageUri."
  value       = aws_s3_bucket.this["models"].id
}

output "evidence" {
  description = "Bucket with object lock, for evidence."
  value       = aws_s3_bucket.this["evidence"].id
}

output "key" {
  description = "KMS key of secrets and objects."
  value       = aws_kms_key.this.arn
}

output "roles" {
  description = "Role of each ServiceAccount, for the annotation eks.amazonaws.com/role-arn."
  value       = { for name, role in aws_iam_role.workload : name => role.arn }
}
