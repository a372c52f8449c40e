"""What can it do, what can't it? Held-out likelihood and the baselines that it has to beat."""
