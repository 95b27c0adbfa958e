// `scorer.c` refers to this symbol so that the linker keeps the world's type, which the packer adds instead.
void __component_type_object_force_link_scorer(void);
void __component_type_object_force_link_scorer(void) {}
