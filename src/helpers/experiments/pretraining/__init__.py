"""What chapter 01 does: the exam of both objectives, the tests of the base run, the scaling law, its studies."""
