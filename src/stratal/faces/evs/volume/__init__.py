"""Block Storage v3 (Cinder), and the native paths of EVS: the same, with the project's id in them."""
