"""What the dialects of block storage know of volumes and snapshots beyond `bs_volume` and `bs_snap`.

OpenStack and Huawei give volumes metadata, attachments, transfers, types with extra specs, groups and a
status word. All of it is rows beside the kinds; the kinds themselves and their services stay what they are.
"""
