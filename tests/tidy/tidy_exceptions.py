"""(rule, path): why the rule does not hold there. Nearly empty, and to stay so: an exception needs
a reason that will still be true in a year."""

EXCEPTIONS = {
    ("private_symbols", "engine/matching/matching.c"):
        "pd_matching_forget_partition is for a partition that moves to another node; none does yet",
}
