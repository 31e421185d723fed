"""Take into a state what AWS has under the wanted names and no state knows."""
