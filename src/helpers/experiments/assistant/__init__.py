"""What chapter 04 does: fine-tuning on demonstrations, judged before and after, and its studies."""
