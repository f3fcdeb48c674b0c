"""Money that houses have paid ahead: accounts and every move of them."""
