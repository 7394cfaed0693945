"""Identity v3 (Keystone) under `/identity`, and the part of Huawei's IAM that manages access keys."""
